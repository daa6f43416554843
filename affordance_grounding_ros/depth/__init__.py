"""From depth images to grasp poses."""
