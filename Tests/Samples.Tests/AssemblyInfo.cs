// Samples compete for the processor, and some of what they show has deadlines.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
