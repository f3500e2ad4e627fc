using System.Text.Json.Serialization;
using AspireRedis.Contracts;

namespace AspireRedis.Inventory.Reservations;

internal enum ReservationState
{
    /// <summary>Some of its items may be set aside.</summary>
    Open,

    /// <summary>All of its items are set aside.</summary>
    Complete,

    /// <summary>Its order is placed: the items are sold unless the order is rejected.</summary>
    Placed,

    /// <summary>Its items are back. Final, so that a late repetition of the request reserves nothing.</summary>
    GivenBack,
}

/// <param name="Lines">What was asked for, and once it is set aside at which price.</param>
/// <param name="PlaceBefore">By the clock of the Redis server.</param>
/// <param name="Reason">Why it was given back.</param>
/// <param name="Refusal">What it was given back for when it could not be made; a repetition gets the same answer.</param>
internal sealed record ReservationRecord(
    ReservationState State, IReadOnlyList<OrderedLine> Lines, DateTimeOffset PlaceBefore, string? Reason, Refusal? Refusal = null);

/// <param name="Outcome">What was wrong.</param>
/// <param name="Sku">With which product.</param>
internal sealed record Refusal(WriteOutcome Outcome, string Sku);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ReservationRecord))]
internal sealed partial class ReservationJson : JsonSerializerContext;
