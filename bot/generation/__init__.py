"""How a reply is determined: rendering, sampling, output policy; pure."""
