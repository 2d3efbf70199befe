"""What tests start, connect to and look at: real servers, raw clients, outside programs."""
