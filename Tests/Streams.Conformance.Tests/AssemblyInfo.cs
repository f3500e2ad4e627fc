// Each class has servers of its own, and most of the time waits for idle times and outages.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
