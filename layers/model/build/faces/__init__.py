"""Makes the face detector's bundle out of the mediapipe wheel."""
