"""What a notebook shows of models, layers, histories and reports."""
