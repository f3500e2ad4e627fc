// Several deployments at a time would compete for the processor.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
