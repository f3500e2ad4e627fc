namespace AspireRedis.Benchmarks;

internal static class Statistics
{
    /// <summary>The value below which <paramref name="share"/> of the sorted values lie.</summary>
    public static double Percentile(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
    }

    public static double Median(IEnumerable<double> values) => Percentile(values, 0.5);
}
