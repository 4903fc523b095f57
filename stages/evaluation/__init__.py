"""How good is it: vocabulary, scores, detections, accuracy and average precision."""
