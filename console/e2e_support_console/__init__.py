"""The administrators' side: opens, searches and answers tickets on their own machine."""
