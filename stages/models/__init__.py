"""Networks: CLIP towers and region heads, the RPN, published weights and their key maps."""
