"""How good is an assessor? Figures on labelled data, with what chance could have made of them."""
