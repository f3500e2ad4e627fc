// Each class has servers of its own, a dozen of them.
[assembly: CollectionBehavior(MaxParallelThreads = 1)]
