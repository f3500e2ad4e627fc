using System.Text.RegularExpressions;
using AspireRedis.Contracts;

namespace AspireRedis.Cluster.Cli;

internal enum KeyFate
{
    /// <summary>It is copied whole, perhaps under another name.</summary>
    Copied,

    /// <summary>What it has belongs to several partitions.</summary>
    Divided,

    /// <summary>It means nothing once the shop has stopped.</summary>
    LeftBehind,
}

/// <param name="Kind">What it is, for people.</param>
/// <param name="Fate">What becomes of it.</param>
/// <param name="Target">Its name in the cluster; its own where it has none.</param>
/// <param name="Id">The order or product that it is of.</param>
internal sealed record KeyPlace(string Kind, KeyFate Fate, string Target, string Id);

/// <summary>
/// The names of all keys that the shop has, and where each belongs. Services of several assemblies give these names; a test compares them.
/// </summary>
internal sealed class ShopKeys
{
    public const string Orders = "orders";
    public const string Products = "products";
    public const string Reservations = "reservations";
    public const string CustomerLists = "orders of customers";
    public const string Unsettled = "unsettled orders";
    public const string Settled = "settled orders";
    public const string Erasing = "requests to erase";
    public const string Exported = "place of the export";
    public const string Deadlines = "deadlines of reservations";
    public const string Streams = "streams of events";
    public const string DeadLetters = "dead letters";

    // As Sku.Pattern and the ids of orders, for which an earlier version had others.
    private const string Id = "(?<id>[^{}:/]+)";
    private const string Topic = "(?<topic>events:order-placed|email_stream)";

    private readonly List<(Regex Name, string Kind, KeyFate Fate, Func<Match, string>? Target)> _rules = [];
    private readonly ShopPartitions _to;

    /// <param name="from">How the keys are divided that are looked at.</param>
    /// <param name="to">How they are to be.</param>
    public ShopKeys(ShopPartitions from, ShopPartitions to)
    {
        _to = to;
        var one = from.Count == 1;
        var (ofOrders, ofProducts) = one ? ("", "") : (@":\{orders:\d+\}", @":\{products:\d+\}");
        var order = one ? $@"order:\{{{Id}\}}" : $"order{ofOrders}:{Id}";
        var product = one ? $@"product:\{{{Id}\}}" : $"product{ofProducts}:{Id}";
        var lease = one ? $@"inventory_lock:\{{{Id}\}}" : $@"inventory_lock{ofProducts}/{Id}";
        var divided = one ? KeyFate.Divided : KeyFate.Copied;

        Add(order, Orders, KeyFate.Copied, OrderOf);
        Add($"{order}(?<rest>:closed)", "marks of closed orders", KeyFate.Copied, OrderOf);
        Add($"{order}(?<rest>:journal|:events)", "journals of earlier versions", KeyFate.Copied, OrderOf);
        Add(one ? @"customer:\{(?<id>.*)\}:orders" : $"customer{ofOrders}:(?<id>.*):orders", CustomerLists, divided);
        Add($"orders:unsettled{ofOrders}", Unsettled, divided);
        Add($"orders:settled{ofOrders}", Settled, divided);
        Add($"customers:erasing{ofOrders}", Erasing, divided);
        Add("orders:exported", Exported, divided);
        Add(@"idempotency:\{[0-9A-F]{64}\}", "idempotency keys", KeyFate.Copied);
        Add(product, Products, KeyFate.Copied, ProductOf);
        Add($"{product}(?<rest>:reservation:[^{{}}:]+)", Reservations, KeyFate.Copied, ProductOf);
        Add($"reservation_deadlines{ofProducts}", Deadlines, divided);
        Add("products:by-sku|products:indexed", "index of products", KeyFate.Copied);
        Add($"{lease}:fence", "fences", KeyFate.Copied, m => $"{to.StockLeaseOf(m.Groups["id"].Value)}:fence");
        Add($"{Topic}{ofOrders}", Streams, divided);
        Add($"{Topic}{ofOrders}:dead", DeadLetters, divided);
        // The event of an order is named by it.
        Add($"{Topic}{ofOrders}(?<rest>:inbox%?:[^:]*:(?<id>[0-9a-f]{{32}})-.*)", "records of the inbox", KeyFate.Copied, m =>
            $"{m.Groups["topic"].Value}{(to.Count == 1 ? "" : ":")}{to.Orders.TagOf(m.Groups["id"].Value)}{m.Groups["rest"].Value}");
        if (!one)
        {
            Add(Topic, "numbers of partitions", KeyFate.Copied);
            Add($"{Topic}{ofOrders}:fence:.*", "fences", KeyFate.Copied);
            Add($"partition_lock:{Topic}:.*{ofOrders}:fence", "fences", KeyFate.Copied);
        }

        Add($"{lease}(:queue)?", "leases", KeyFate.LeftBehind);
        Add(@"partition_lock:.*|cache_lock:\{\d+\}(:queue|:fence)?", "leases", KeyFate.LeftBehind);
        Add($"{Topic}({ofOrders})?:(instances|members):.*", "memberships of groups", KeyFate.LeftBehind);
        Add("ratelimit:.*", "rate limits", KeyFate.LeftBehind);
        Add("cache:.*", "caches", KeyFate.LeftBehind);
        Add($"products:changes({ofProducts})?", "changes of products for who looks on", KeyFate.LeftBehind);
        Add("redis:region:.*", "permissions of regions", KeyFate.LeftBehind);

        string OrderOf(Match match) => to.OrderHashOf(match.Groups["id"].Value) + match.Groups["rest"].Value;

        string ProductOf(Match match)
            => ShopPartitions.KeyOf("product", to.Products, match.Groups["id"].Value) + match.Groups["rest"].Value;
    }

    /// <summary>Null when it is of no known kind, or, with several partitions before, not where it belongs.</summary>
    public KeyPlace? Find(string key)
    {
        foreach (var (name, kind, fate, target) in _rules)
        {
            if (name.Match(key) is { Success: true } match)
            {
                return new KeyPlace(kind, fate, target?.Invoke(match) ?? key, match.Groups["id"].Value);
            }
        }
        return null;
    }

    /// <summary>The name of a key of which each partition of orders has one, and customers have one in each.</summary>
    /// <param name="place">What the source has.</param>
    /// <param name="source">Its name there.</param>
    /// <param name="id">An order, or, of <see cref="Deadlines"/>, a product.</param>
    public string PartOf(KeyPlace place, string source, string id) => place.Kind switch
    {
        CustomerLists => $"customer:{_to.Orders.TagOf(id)}:{place.Id}:orders",
        Deadlines => $"{source}:{_to.Products.TagOf(id)}",
        DeadLetters => $"{source[..^":dead".Length]}:{_to.Orders.TagOf(id)}:dead",
        _ => $"{source}:{_to.Orders.TagOf(id)}",
    };

    /// <summary>The names of all of them.</summary>
    public IReadOnlyList<string> PartsOf(string source) => [.. Enumerable.Range(0, _to.Count).Select(i => $"{source}:{_to.Orders.TagOf(i)}")];

    private void Add(string name, string kind, KeyFate fate, Func<Match, string>? target = null)
        => _rules.Add((new Regex($@"\A(?:{name})\z", RegexOptions.CultureInvariant | RegexOptions.Singleline), kind, fate, target));
}
