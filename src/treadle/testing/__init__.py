"""What users test their jobs with, and what authors of stores test their stores with."""
