namespace AspireRedis.Orders.Reconciling;

/// <summary>What became of an order that was not settled in time; reconcile-order.lua tells more.</summary>
internal enum ReconcileOutcome
{
    Settled,
    Waiting,
    Dead,
    Lost,
    Republished,
}
