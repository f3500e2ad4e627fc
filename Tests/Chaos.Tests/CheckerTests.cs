using AspireRedis.Chaos.Checking;

namespace AspireRedis.Chaos.Tests;

/// <summary>Each test takes a run in which all went well and spoils one thing.</summary>
public sealed class CheckerTests
{
    private static readonly Line s_chair = new("chair", 1);
    private static readonly Line s_tables = new("table", 2);

    // Anna and Carl have bought, Bert's payment was declined, Dora came too late, nobody knows what became of Emil's order.
    private static readonly Observations s_good = new(
        [
            new("anna", "anna@example.org", [s_chair], Payable: true, ["a", "a"], Refused: false),
            new("bert", "bert@example.org", [s_tables], Payable: false, ["b"], Refused: false),
            new("carl", "carl@example.org", [s_chair, s_tables], Payable: true, ["c"], Refused: false),
            new("dora", "dora@example.org", [s_chair], Payable: true, [], Refused: true),
            new("emil", "emil@example.org", [s_tables], Payable: true, [], Refused: false),
        ],
        [
            new("a", "anna", "confirmed", [s_chair]),
            new("b", "bert", "rejected", [s_tables]),
            new("c", "carl", "confirmed", [s_chair, s_tables]),
        ],
        [new("chair", 2, 0, 2), new("table", 9, 7, 2)],
        [new("chair", "a", 1), new("chair", "c", 1), new("table", "c", 2)],
        [
            new("a-confirmed@shop", "a", "anna@example.org", Confirms: true),
            new("a-confirmed@shop", "a", "anna@example.org", Confirms: true),
            new("b-rejected@shop", "b", "bert@example.org", Confirms: false),
            new("c-confirmed@shop", "c", "carl@example.org", Confirms: true),
        ]);

    [Fact]
    public void A_run_in_which_all_went_well_has_no_violation() => Assert.Empty(Checker.Check(s_good));

    [Fact]
    public void An_order_of_unknown_outcome_may_exist()
        => Assert.Empty(Checker.Check(s_good with
        {
            Orders = [.. s_good.Orders, new("e", "emil", "confirmed", [s_tables])],
            Products = [s_good.Products[0], new("table", 9, 5, 4)],
            Held = [.. s_good.Held, new("table", "e", 2)],
            Mails = [.. s_good.Mails, new("e-confirmed@shop", "e", "emil@example.org", Confirms: true)],
        }));

    [Fact]
    public void An_acknowledged_order_that_is_gone_is_seen_and_so_are_its_items_and_its_mail()
        => AssertKinds(s_good with { Orders = [.. s_good.Orders.Where(o => o.OrderId != "a")] },
            ViolationKind.LostOrder, ViolationKind.StockNotConserved, ViolationKind.SalesMiscounted, ViolationKind.ItemsNotGivenBack,
            ViolationKind.FalseMail);

    [Fact]
    public void A_second_order_for_one_key_is_seen_stored_or_only_acknowledged()
    {
        AssertKinds(WithPurchase("anna", p => p with { Acknowledged = ["a", "z"] }), ViolationKind.LostOrder,
            ViolationKind.TwoOrdersForOneKey);
        AssertKinds(s_good with { Orders = [.. s_good.Orders, new("z", "bert", "rejected", [s_tables])],
            Mails = [.. s_good.Mails, new("z-rejected@shop", "z", "bert@example.org", false)] },
            ViolationKind.TwoOrdersForOneKey);
    }

    [Fact]
    public void An_order_of_who_was_refused_is_seen()
        => AssertKinds(WithPurchase("anna", p => p with { Refused = true }), ViolationKind.RefusedButOrdered);

    [Fact]
    public void An_order_with_other_items_is_seen()
        => AssertKinds(WithPurchase("anna", p => p with { Lines = [s_tables] }), ViolationKind.WrongOrder);

    [Fact]
    public void An_order_that_is_never_paid_is_seen()
        => AssertKinds(WithOrder("c", o => o with { Status = "placed" }), ViolationKind.UnsettledOrder, ViolationKind.FalseMail);

    [Fact]
    public void An_order_that_is_confirmed_without_payment_is_seen()
        => AssertKinds(WithPurchase("carl", p => p with { Payable = false }), ViolationKind.WrongOutcome);

    [Theory]
    [InlineData(6)]
    [InlineData(8)]
    public void Stock_that_has_vanished_or_appeared_is_seen(int left)
        => AssertKinds(s_good with { Products = [s_good.Products[0], s_good.Products[1] with { Left = left }] },
        ViolationKind.StockNotConserved);

    [Fact]
    public void More_sold_than_there_was_is_seen()
        => AssertKinds(s_good with { Products = [s_good.Products[0] with { Initial = 1 }, s_good.Products[1]] }, ViolationKind.Oversold,
        ViolationKind.StockNotConserved);

    [Fact]
    public void A_product_that_is_gone_is_seen()
        => AssertKinds(s_good with { Products = [s_good.Products[0], s_good.Products[1] with { Left = null }] }, ViolationKind.LostProduct);

    [Fact]
    public void A_sale_that_is_counted_twice_is_seen()
        => AssertKinds(s_good with { Products = [s_good.Products[0] with { Counted = 3 }, s_good.Products[1]] },
        ViolationKind.SalesMiscounted);

    [Fact]
    public void Items_set_aside_for_no_order_are_seen()
        => AssertKinds(s_good with { Held = [.. s_good.Held, new("table", "b", 2)] }, ViolationKind.ItemsNotGivenBack);

    [Fact]
    public void A_missing_mail_is_seen()
        => AssertKinds(s_good with { Mails = [.. s_good.Mails.Where(m => m.OrderId != "b")] }, ViolationKind.MissingMail);

    [Fact]
    public void A_mail_that_says_what_is_not_so_is_seen()
    {
        AssertKinds(WithMail(new("b-confirmed@shop", "b", "bert@example.org", Confirms: true)), ViolationKind.FalseMail,
            ViolationKind.DuplicateMail);
        AssertKinds(WithMail(new("x-confirmed@shop", "x", "anna@example.org", Confirms: true)), ViolationKind.FalseMail);
        AssertKinds(WithMail(new("a-confirmed@shop", "a", "bert@example.org", Confirms: true)), ViolationKind.FalseMail);
    }

    [Fact]
    public void A_second_mail_is_seen_unless_it_is_known_by_its_id_as_the_same()
        => AssertKinds(WithMail(new("other@shop", "a", "anna@example.org", Confirms: true)), ViolationKind.DuplicateMail);

    private static Observations WithPurchase(string user, Func<Purchase, Purchase> change)
        => s_good with { Purchases = [.. s_good.Purchases.Select(p => p.UserId == user ? change(p) : p)] };

    private static Observations WithOrder(string id, Func<StoredOrder, StoredOrder> change)
        => s_good with { Orders = [.. s_good.Orders.Select(o => o.OrderId == id ? change(o) : o)] };

    private static Observations WithMail(SentMail mail) => s_good with { Mails = [.. s_good.Mails, mail] };

    private static void AssertKinds(Observations seen, params ViolationKind[] kinds)
        => Assert.Equal(kinds.Order(), Checker.Check(seen).Select(v => v.Kind).Distinct().Order());
}
