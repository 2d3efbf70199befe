"""What a host says of itself, in the form the planner takes."""
