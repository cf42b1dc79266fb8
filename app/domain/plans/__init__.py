"""A plan: what was asked, what happened and was chosen, and the planned steps that follow."""
