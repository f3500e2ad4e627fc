namespace AspireRedis.Coordination.Availability;

/// <summary>What is made of <see cref="DurableWriter"/>.</summary>
public static class DurableWriterExtensions
{
    private static readonly RedisScript s_confirm = RedisScript.Load(typeof(DurableWriterExtensions), "confirm", repeatable: true);

    /// <summary>
    /// Returns when everything that the primary holds at this moment is as durable as asked for, whoever has written it.
    /// To be called before doing something outside of Redis because of what was read there: a failover could take it back.
    /// At level <see cref="Durability.Memory"/> there is nothing to wait for.
    /// </summary>
    /// <exception cref="NotDurableException">Not enough replicas have it in time.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static Task ConfirmAsync(this DurableWriter writer, Durability durability, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(writer);
        return durability == Durability.Memory ? Task.CompletedTask : writer.EvaluateAsync(s_confirm, [], [], durability, cancellationToken);
    }
}
