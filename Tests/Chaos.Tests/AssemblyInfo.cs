// Two systems at a time would compete for the processor.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
