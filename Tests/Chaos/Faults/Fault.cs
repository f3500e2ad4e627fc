namespace AspireRedis.Chaos.Faults;

/// <summary>One fault of a plan.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Target">Which of several it is done to, counted from 0 and modulo their number; for two sides, one number for both.</param>
/// <param name="Duration">How long it lasts.</param>
internal sealed record Fault(FaultKind Kind, int Target, TimeSpan Duration);
