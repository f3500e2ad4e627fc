using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Queueing;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>What tests see of a lease that its users do not.</summary>
internal static class LeaseInspection
{
    extension(ILease lease)
    {
        /// <summary>Who the server takes for the holder.</summary>
        public string Owner => ((Lease)lease).Owner;

        /// <summary>Whether the holder knows who of its process is next.</summary>
        public bool HasSuccessor => ((LeaseGrants.QueuedLease)lease).Request.Successor is not null;
    }
}
