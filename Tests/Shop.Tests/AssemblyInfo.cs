// Two systems at a time would compete for the processor, and most of what is tested here waits for deadlines.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
