"""What happens around a run on the operator's side: hooks before and after, notices at its end."""
