using System.ComponentModel.DataAnnotations;
using AspireRedis.Coordination;

namespace AspireRedis.Inventory.Reservations;

/// <summary>Options of the section <c>Reservations</c>.</summary>
internal sealed class ReservationOptions
{
    /// <summary>
    /// What a product that was written survives, and what a declined order gave back; it should be what orders survive. Reservations
    /// need none: an order is placed only where its items are (in a cluster they are elsewhere, and need it). Default
    /// <see cref="Coordination.Durability.Replica"/>; a deployment without replicas must choose Memory.
    /// </summary>
    [EnumDataType(typeof(Durability))]
    public Durability Durability { get; set; } = Durability.Replica;

    /// <summary>How long items are reserved for an order that is not placed yet; then it is closed. Default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan HoldFor { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long the lease of a product lasts without a renewal: what a holder costs the others that is killed, or whose region is lost or
    /// handed over while it holds one. Default 5 s, half of what the others wait.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:01:00")]
    public TimeSpan LeaseTtl { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long the record of a reservation is kept after its items were sold or went back. Default 30 days. A payment that is
    /// declined later gives the items back all the same.
    /// </summary>
    [Range(typeof(TimeSpan), "01:00:00", "366.00:00:00")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(30);
}
