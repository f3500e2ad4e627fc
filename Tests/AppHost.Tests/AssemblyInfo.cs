// Started applications share a machine; one at a time is started sooner than two at once.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
