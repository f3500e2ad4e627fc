// Most classes wait for deadlines of servers of their own; those that must be alone are in AloneCollection.
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
