"""What a continuous-integration service is given: files, annotations, the summary of a step."""
