using System.Globalization;
using System.Net.Http.Json;
using AspireRedis.Chaos.Checking;

namespace AspireRedis.Chaos.Load;

/// <summary>
/// What is on sale: a shelf for the time before the first fault and one for each fault, put into stock at the beginning. A
/// fault thus meets products that run out and such that do not. For more customers than usual there are more of each.
/// </summary>
internal sealed class Assortment(int shelves, int rate)
{
    // Above the gateway's limit of 10,000 when two are bought.
    private const decimal DearPrice = 6000;

    private const int Scarce = 30;
    private const int Dear = 60;
    private const int Ample = 10_000;

    // A product is sold one order at a time.
    private readonly int _copies = Copies(rate);

    private volatile int _shelf;

    /// <summary>What was put into stock, by SKU.</summary>
    public IReadOnlyDictionary<string, int> Initial { get; } = Enumerable.Range(0, shelves * Copies(rate))
        .SelectMany(i => new[] { (Sku(i, "scarce"), Scarce), (Sku(i, "dear"), Dear), (Sku(i, "ample"), Ample) })
        .ToDictionary();

    /// <summary>Puts everything into stock.</summary>
    public async Task PutAsync(HttpClient inventory, CancellationToken cancellationToken)
    {
        foreach (var (sku, stock) in Initial)
        {
            var product = new { name = sku, price = sku.EndsWith("dear", StringComparison.Ordinal) ? DearPrice : 49.90m, stock };
            using var response = await inventory.PutAsJsonAsync($"/products/{sku}", product, cancellationToken);
            response.EnsureSuccessStatusCode();
        }
    }

    /// <summary>From now on customers buy from this shelf.</summary>
    public void Show(int shelf) => _shelf = shelf;

    /// <summary>What a customer wants; of these some cannot be paid, and some want two products at once.</summary>
    public (IReadOnlyList<Line> Lines, bool Payable) Choose(Random random)
    {
        var shelf = (_shelf * _copies) + random.Next(_copies);
        return random.Next(10) switch
        {
            0 => ([new Line(Sku(shelf, "dear"), 2)], false),
            1 => ([new Line(Sku(shelf, "dear"), 1)], true),
            2 or 3 => ([new Line(Sku(shelf, "scarce"), 1)], true),
            // Not in the order in which the inventory takes them.
            4 => ([new Line(Sku(shelf, "scarce"), 1), new Line(Sku(shelf, "ample"), 2)], true),
            _ => ([new Line(Sku(shelf, "ample"), random.Next(1, 4))], true),
        };
    }

    private static int Copies(int rate) => Math.Max(1, rate / Customers.DefaultRate);

    private static string Sku(int shelf, string what) => string.Create(CultureInfo.InvariantCulture, $"shelf{shelf}-{what}");
}
