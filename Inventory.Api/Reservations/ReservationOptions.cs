using System.ComponentModel.DataAnnotations;
using AspireRedis.Coordination;

namespace AspireRedis.Inventory.Reservations;

/// <summary>Options of the section <c>Reservations</c>.</summary>
internal sealed class ReservationOptions
{
    /// <summary>
    /// What a reservation survives; it should be what orders survive. Default
    /// <see cref="Coordination.Durability.Replica"/>; a deployment without replicas must choose Memory.
    /// </summary>
    [EnumDataType(typeof(Durability))]
    public Durability Durability { get; set; } = Durability.Replica;

    /// <summary>How long items are reserved for an order that is not placed yet. Default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan HoldFor { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long after the deadline the items are returned at the earliest. It must exceed the difference between the clocks
    /// of two Redis nodes, as one primary may set the deadline and the next one check it. Default 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan ClockMargin { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long the record of a reservation is kept after its last change. Default 30 days. A payment that is declined later
    /// gives the items back all the same.
    /// </summary>
    [Range(typeof(TimeSpan), "01:00:00", "366.00:00:00")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How many overdue reservations an instance looks after at a time. Default 16.</summary>
    [Range(1, 256)]
    public int ReapConcurrency { get; set; } = 16;
}
