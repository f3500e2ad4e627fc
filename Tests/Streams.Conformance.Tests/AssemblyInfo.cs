// Several deployments at a time would compete for the processor, and much of what is tested here has deadlines.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
