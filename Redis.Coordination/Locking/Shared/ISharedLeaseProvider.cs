using System.Diagnostics.CodeAnalysis;

namespace AspireRedis.Coordination.Locking;

/// <summary>
/// A reader/writer lock across processes: a lease that many may hold beside one another (<see cref="Shared"/>, to read) or
/// one alone (<see cref="Exclusive"/>, to change). <c>AddRedisCoordination</c> registers <see cref="SharedLeaseProvider"/> as
/// this. Safe for concurrent use.
/// </summary>
public interface ISharedLeaseProvider
{
    /// <summary>Leases that others may hold too.</summary>
    [SuppressMessage("Naming", "CA1716", Justification = "The usual term; a keyword in Visual Basic only, which has brackets for it.")]
    ILeaseProvider Shared { get; }

    /// <summary>Leases that nobody else holds, neither shared nor exclusive.</summary>
    ILeaseProvider Exclusive { get; }
}
