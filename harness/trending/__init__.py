"""`harness trend`: a history's series judged and drawn; accepting a change; noting a release."""
