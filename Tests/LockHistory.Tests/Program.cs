using System.Globalization;
using AspireRedis.LockHistory.Running;

namespace AspireRedis.LockHistory;

/// <summary>`dotnet run -c Release --project Tests/LockHistory.Tests -- --minutes 10 [--seed N] [--system NAME]`: round after round.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        var minutes = double.Parse(Option("--minutes") ?? "10", CultureInfo.InvariantCulture);
        var seed = Option("--seed") is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        var only = Option("--system");
        var systems = LockSystem.All.Where(s => only is null || s.Name == only).ToArray();
        if (systems.Length == 0)
        {
            Console.Error.WriteLine($"--minutes M [--seed N] [--system NAME]; systems: {string.Join(", ", LockSystem.All.Select(s => s.Name))}");
            return 2;
        }
        var results = await Campaign.RunAsync(systems, seed, TimeSpan.FromMinutes(minutes), Console.WriteLine);
        return results.All(r => r.Verdict.Violations.Count == 0) ? 0 : 1;

        string? Option(string name) => Array.IndexOf(arguments, name) is var at and >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }
}
