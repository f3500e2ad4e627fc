using AspireRedis.Coordination;
using AspireRedis.LocalServers;
using AspireRedis.Topology;

namespace AspireRedis.Chaos.Regions;

/// <summary>The whole shop in two regions, as processes of this machine.</summary>
internal sealed class TwoRegionShop : IAsyncDisposable
{
    public const string FirstActive = "us";
    public const string FirstStandby = "eu";

    private static readonly TimeSpan s_wholeBound = TimeSpan.FromMinutes(3);

    private readonly List<RegionSite> _sites = [];
    private LocalRegions? _regions;

    private TwoRegionShop(string directory) => MailDirectory = Directory.CreateDirectory(Path.Combine(directory, "mail")).FullName;

    public string MailDirectory { get; }

    public LocalRegions Regions => _regions ?? throw new InvalidOperationException("The regions are not started.");

    public IReadOnlyList<RegionSite> Sites => _sites;

    public RegionSite this[string region] => _sites.First(s => s.Name == region);

    /// <summary>Starts everything and waits until it is healthy.</summary>
    /// <param name="directory">Gets data, logs and mails.</param>
    /// <param name="latency">Of the line between the regions, in each direction.</param>
    /// <param name="durability">What services promise.</param>
    /// <param name="automatic">Whether agents promote by themselves.</param>
    /// <param name="cancellationToken">Ends the wait; everything is then stopped.</param>
    /// <param name="isChecked">Whether services of the region that is active at first are checked where they write.</param>
    /// <exception cref="TimeoutException">It was not whole in time; the message says what is missing.</exception>
    public static async Task<TwoRegionShop> StartAsync(string directory, TimeSpan latency, Durability durability, bool automatic,
        CancellationToken cancellationToken, bool isChecked = true)
    {
        var shop = new TwoRegionShop(directory);
        try
        {
            var options = new RedisTopologyOptions { Replicas = 1, ServerSettings = ["crash-memcheck-enabled no"] };
            shop._regions = await LocalRegions.StartAsync(Path.Combine(directory, "redis"), options, latency, FirstActive, FirstStandby,
                cancellationToken: cancellationToken);
            var level = durability.ToString();
            var settings = new Dictionary<string, string?>
            {
                ["Orders__Durability"] = level, ["Reservations__Durability"] = level, ["Mail__Durability"] = level,
                ["Reservations__HoldFor"] = "00:00:20", ["Consumer__MinIdle"] = "00:00:05",
            };
            var agent = new Dictionary<string, string?> { ["Regions__PromoteAutomatically"] = $"{automatic}" };
            foreach (var name in new[] { FirstActive, FirstStandby })
            {
                var site = new RegionSite(shop._regions, name, directory, shop.MailDirectory, settings, agent,
                    isChecked || name != FirstActive);
                shop._sites.Add(site);
                await site.StartAsync(cancellationToken);
            }
            await shop.WaitUntilWholeAsync(cancellationToken);
            return shop;
        }
        catch
        {
            await shop.DisposeAsync();
            throw;
        }
    }

    /// <summary>Until everything of both regions, or of <paramref name="only"/> one, is healthy.</summary>
    /// <exception cref="TimeoutException">It was not in time; the message says what is missing.</exception>
    public async Task WaitUntilWholeAsync(CancellationToken cancellationToken, string? only = null)
        => await Poll.UntilAsync(
            async token =>
            {
                string? missing = null;
                foreach (var site in _sites.Where(s => only is null || s.Name == only))
                {
                    missing ??= await site.MissingAsync(token) is { } what ? $"{site.Name}: {what}" : null;
                }
                return missing;
            },
            s_wholeBound, only is null ? "Both regions are whole" : $"{only} is whole", cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_sites.Select(s => s.DisposeAsync().AsTask()));
        if (_regions is not null)
        {
            await _regions.DisposeAsync();
        }
    }
}
