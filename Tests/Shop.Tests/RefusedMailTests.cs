using System.Globalization;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Shop.Tests;

/// <summary>The worker alone, before a mail server that takes nothing.</summary>
public sealed class RefusedMailTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task A_mail_that_is_refused_for_good_is_a_dead_letter_at_once()
    {
        await using var smtp = new RefusingSmtpServer("550 5.1.1 No such mailbox");
        await using var worker = await StartWorkerAsync(smtp);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var database = connection.GetDatabase();

        await RequestAsync(database, "gone@example.org");

        await Eventually.HoldsAsync(async () =>
        {
            var letters = await database.StreamRangeAsync($"{ShopSystem.Mails}:dead");
            var letter = Assert.Single(letters, e => e["recipient"] == "gone@example.org");
            Assert.Contains("550", (string?)letter["dead_reason"], StringComparison.Ordinal);
            Assert.DoesNotContain("gone@", (string?)letter["dead_reason"], StringComparison.Ordinal);
            Assert.Equal(1, (int)letter["dead_deliveries"]);
        }, "The mail is a dead letter", TimeSpan.FromSeconds(60));
        Assert.Equal(1, smtp.AttemptsTo("gone@example.org"));
    }

    [Fact]
    public async Task A_mail_that_is_refused_for_now_is_tried_again()
    {
        await using var smtp = new RefusingSmtpServer("450 4.2.1 Mailbox busy");
        await using var worker = await StartWorkerAsync(smtp);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var database = connection.GetDatabase();

        await RequestAsync(database, "busy@example.org");

        await Eventually.TrueAsync(() => smtp.AttemptsTo("busy@example.org") >= 2, "The mail is tried again", TimeSpan.FromSeconds(60));
        Assert.DoesNotContain(await database.StreamRangeAsync($"{ShopSystem.Mails}:dead"), e => e["recipient"] == "busy@example.org");
    }

    private static Task<RedisValue> RequestAsync(IDatabase database, string recipient)
        => database.StreamAddAsync(ShopSystem.Mails,
        [
            new("event_id", $"{Guid.NewGuid():N}-confirmed"), new("event_type", "email-requested"), new("schema_version", 1),
            new("recipient", recipient), new("subject", "Your order"), new("body", "Thank you."),
            new("order_id", Guid.NewGuid().ToString("N")),
        ]);

    private async Task<ServiceProcess> StartWorkerAsync(RefusingSmtpServer smtp)
    {
        var url = ShopServices.NewUrl();
        var environment = ShopServices.OfInstance(
            ShopServices.Environment(redis.ConnectionString, [], [], Path.GetTempPath()), ShopSystem.NotificationsWorker, url);
        environment["Mail__Durability"] = "Memory";
        environment["Mail__Smtp__Host"] = "127.0.0.1";
        environment["Mail__Smtp__Port"] = smtp.Port.ToString(CultureInfo.InvariantCulture);
        environment["Mail__Smtp__Security"] = "None";
        var worker = ServiceProcess.StartDotNet(BuiltProject.Path(ShopSystem.NotificationsWorker), environment);
        try
        {
            await worker.WaitHealthyAsync(new Uri($"{url}/health"));
            return worker;
        }
        catch
        {
            await worker.DisposeAsync();
            throw;
        }
    }
}
