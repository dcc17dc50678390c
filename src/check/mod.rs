//! Properties, oracles and shrinking: proof that a loop converges.
