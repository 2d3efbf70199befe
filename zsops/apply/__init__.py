"""Plans become deeds here: hosts are driven, watched, confirmed or brought back."""
