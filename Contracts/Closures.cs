namespace AspireRedis.Contracts;

/// <summary>The request body of <c>PUT /closures</c> of Orders.Api.</summary>
/// <param name="OrderIds">Orders that shall not be placed any more, unless they are.</param>
public sealed record ClosureRequest(IReadOnlyList<string> OrderIds);

/// <summary>What became of them; each is in one of the two.</summary>
/// <param name="Placed">They are placed.</param>
/// <param name="Closed">They will never be.</param>
public sealed record Closures(IReadOnlyList<string> Placed, IReadOnlyList<string> Closed);
