using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Benchmarks.Orders;

/// <summary>What the primary has spent so far, from its <c>INFO</c>.</summary>
/// <param name="Cpu">Seconds, user and system.</param>
/// <param name="Commands">How many commands, those inside scripts too.</param>
/// <param name="Memory">Bytes of the data.</param>
/// <param name="ByCommand">How many of each, and how long they took; for a script with what it calls.</param>
internal sealed record OrderCosts(
    double Cpu, long Commands, long Memory, IReadOnlyDictionary<string, (long Calls, long Microseconds)> ByCommand)
{
    public static async Task<OrderCosts> ReadAsync(IServer server)
    {
        var commands = (await server.InfoAsync("commandstats")).SelectMany(g => g)
            .ToDictionary(p => p.Key["cmdstat_".Length..], p => (Calls: Field(p.Value, "calls"), Microseconds: Field(p.Value, "usec")));
        var cpu = (await server.InfoAsync("cpu")).SelectMany(g => g).ToDictionary(p => p.Key, p => p.Value);
        var memory = (await server.InfoAsync("memory")).SelectMany(g => g).ToDictionary(p => p.Key, p => p.Value);
        return new OrderCosts(
            double.Parse(cpu["used_cpu_user"], CultureInfo.InvariantCulture) + double.Parse(cpu["used_cpu_sys"], CultureInfo.InvariantCulture),
            // Our own are none of an order's.
            commands.Where(c => !c.Key.StartsWith("info", StringComparison.Ordinal)).Sum(c => c.Value.Calls),
            // Without what is kept for replicas and clients, which has a bound of its own.
            Bytes("used_memory") - Bytes("mem_total_replication_buffers") - Bytes("mem_clients_normal"), commands);

        long Bytes(string name) => long.Parse(memory[name], CultureInfo.InvariantCulture);
    }

    /// <summary>The most frequent commands between two readings, for each order, with the microseconds that they took.</summary>
    public string Profile(OrderCosts before, int orders)
    {
        return string.Join(", ", ByCommand.Select(c => (c.Key, Calls: Per(c.Value.Calls, before.ByCommand.GetValueOrDefault(c.Key).Calls),
                Microseconds: Per(c.Value.Microseconds, before.ByCommand.GetValueOrDefault(c.Key).Microseconds)))
            .Where(c => c.Calls >= 0.05).OrderByDescending(c => c.Calls)
            .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Key} {c.Calls:0.0} ({c.Microseconds:0})")));

        double Per(long now, long then) => (now - then) / (double)orders;
    }

    private static long Field(string value, string name)
        => long.Parse(value.Split(',').Select(f => f.Split('=', 2)).First(f => f[0] == name)[1], CultureInfo.InvariantCulture);
}
