namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>Why a node did not vote.</summary>
/// <param name="Node">Its address, <c>host:port</c>.</param>
/// <param name="Error">
/// A Redis exception when it cannot be reached or refused the script, a <see cref="TimeoutException"/> when it did not
/// answer in time, an <see cref="InvalidOperationException"/> when it must not be counted yet.
/// </param>
public sealed record RedlockNodeError(string Node, Exception Error);
