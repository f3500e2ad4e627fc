using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace AspireRedis.Client.Tests;

/// <summary>A service with a group that fails, the endpoints below a prefix and behind a filter of the service's own.</summary>
public sealed partial class DeadLetterEndpointTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task The_service_lists_its_dead_letters_and_decides_who_may_see_them()
    {
        var topic = new StreamTopic<Event>("failing", "event", schemaVersion: 1, Contract.Default.Event);
        var builder = WebApplication.CreateBuilder();
        builder.Configuration["ConnectionStrings:redis"] = redis.ConnectionString;
        builder.Configuration["urls"] = "http://127.0.0.1:0";
        builder.AddRedisCoordination();
        builder.Services.AddConsumerGroup<Event, Failing>(topic, (options, _) =>
        {
            options.Group = "g";
            options.MaxDeliveries = 1;
        });
        await using var app = builder.Build();
        app.MapGroup("/operators").MapDeadLetters().AddEndpointFilter(async (context, next)
            => context.HttpContext.Request.Headers.ContainsKey("X-Operator") ? await next(context) : Results.StatusCode(403));
        await app.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        var entryId = await app.Services.GetRequiredService<StreamProducer>().AppendAsync(topic, new Event(7));

        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync("/operators/dead-letters/failing")).StatusCode);
        http.DefaultRequestHeaders.Add("X-Operator", "yes");
        await Eventually.HoldsAsync(async () =>
        {
            var page = await http.GetFromJsonAsync<JsonElement>("/operators/dead-letters/failing");
            var letter = Assert.Single(page.GetProperty("items").EnumerateArray());
            Assert.Equal(entryId, letter.GetProperty("entryId").GetString());
        }, "the dead letter is listed");
        var unknown = await http.GetAsync("/operators/dead-letters/other");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Equal(DeadLetterEndpoints.UnknownStream, (await unknown.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type")
            .GetString());
        await app.StopAsync();
    }

    internal sealed record Event(int Number);

    [JsonSerializable(typeof(Event))]
    internal sealed partial class Contract : JsonSerializerContext;

    private sealed class Failing : IStreamHandler<Event>
    {
        public Task<HandlerResult> HandleAsync(StreamMessage<Event> message, CancellationToken cancellationToken)
            => throw new InvalidOperationException("It fails always.");
    }
}
