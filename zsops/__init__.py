"""zsops: builds sites into releases and deploys them to hosts that run zeroserve."""
