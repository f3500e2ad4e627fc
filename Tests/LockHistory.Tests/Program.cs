using System.Globalization;
using AspireRedis.LockHistory.Checking;
using AspireRedis.LockHistory.Picture;
using AspireRedis.LockHistory.Running;

namespace AspireRedis.LockHistory;

/// <summary>
/// `dotnet run -c Release --project Tests/LockHistory.Tests -- --minutes 10 [--seed N] [--system NAME]
/// [--picture FILE]`: round after round; the picture is of the first failover.
/// </summary>
internal static class Program
{
    private const long Margin = 1_500_000_000;

    private static async Task<int> Main(string[] arguments)
    {
        var minutes = double.Parse(Option("--minutes") ?? "10", CultureInfo.InvariantCulture);
        var seed = Option("--seed") is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        var only = Option("--system");
        var systems = LockSystem.All.Where(s => only is null || s.Name == only).ToArray();
        if (systems.Length == 0)
        {
            Console.Error.WriteLine(
                $"--minutes M [--seed N] [--system NAME] [--picture FILE]; systems: {string.Join(", ", LockSystem.All.Select(s => s.Name))}");
            return 2;
        }
        var results = await Campaign.RunAsync(systems, seed, TimeSpan.FromMinutes(minutes), Console.WriteLine);
        var lost = results.FirstOrDefault(r => r.Failovers > 0);
        if (Option("--picture") is { } picture && lost is not null)
        {
            var fault = lost.History.Faults.First(f => f.NewPrimary is not null);
            await File.WriteAllTextAsync(picture, HistoryPicture.Draw(
                lost.History, new Span(fault.BeganAt - Margin, fault.SettledAt) + Margin,
                $"Leases in a failover ({lost.System.Name}, seed {lost.Seed})"));
        }
        return results.All(r => r.Verdict.Violations.Count == 0) ? 0 : 1;

        string? Option(string name) => Array.IndexOf(arguments, name) is var at and >= 0 && at + 1 < arguments.Length ? arguments[at + 1]
            : null;
    }
}
