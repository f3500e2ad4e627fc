using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using AspireRedis.Hosting;
using StackExchange.Redis;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>Lock nodes with a password; in containers they are tried by <see cref="ContainerTests"/>.</summary>
public sealed class RedlockNodesTests
{
    [Fact]
    public Task A_minority_of_frozen_and_crashed_lock_nodes_leaves_the_others_working() => AssertMinorityMayFailAsync("executable");

    internal static async Task AssertMinorityMayFailAsync(string mode)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var builder = OwnModel.Create(mode);
        builder.AddRedlockNodes("locks", 5).WithPassword();
        await using var app = builder.Build();
        await app.StartAsync(bound.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("locks", WaitBehavior.WaitOnResourceUnavailable, bound.Token);
        await AnsweringAsync("5 of 5");

        var all = ConfigurationOptions.Parse((await app.GetConnectionStringAsync("locks", bound.Token))!);
        Assert.Equal(5, all.EndPoints.Count);
        Assert.Equal(5, await TakenAsync("before"));

        await CommandAsync("locks-lock-1", "freeze");
        await CommandAsync("locks-lock-2", "crash");
        await AnsweringAsync("3 of 5");
        Assert.Equal(3, await TakenAsync("meanwhile"));
        Assert.Equal(3, await TakenAsync("meanwhile", expected: false));

        await CommandAsync("locks-lock-1", "unfreeze");
        await CommandAsync("locks-lock-2", "start");
        await AnsweringAsync("5 of 5");
        // A lock node that comes back has not forgotten what it promised.
        Assert.Equal(5, await TakenAsync("before", expected: false));

        async Task CommandAsync(string resource, string command)
        {
            // A container answers before the orchestrator says that it runs.
            await app.ResourceNotifications.WaitForResourceAsync(
                resource, e => e.Snapshot.Commands.Any(c => c.Name == command && c.State == ResourceCommandState.Enabled), bound.Token);
            var result = await app.ResourceCommands.ExecuteCommandAsync(resource, command, bound.Token);
            Assert.True(result.Success, result.Message);
        }

        Task AnsweringAsync(string wanted) => app.ResourceNotifications.WaitForResourceAsync(
            "locks", e => e.Snapshot.Properties.Any(p => p.Name == "redis.answering" && p.Value is string value && value == wanted),
            bound.Token);

        // SET NX on each node by itself: how many answer as expected.
        async Task<int> TakenAsync(string key, bool expected = true)
        {
            var answers = await Task.WhenAll(all.EndPoints.Select(async endpoint =>
            {
                var one = all.Clone();
                one.EndPoints.Clear();
                one.EndPoints.Add(endpoint);
                one.ConnectTimeout = one.AsyncTimeout = 2000;
                try
                {
                    await using var connection = await ConnectionMultiplexer.ConnectAsync(one);
                    return await connection.GetDatabase().StringSetAsync(key, "owner", when: When.NotExists) == expected;
                }
                catch (Exception e) when (e is RedisConnectionException or RedisTimeoutException)
                {
                    return false;
                }
            }));
            return answers.Count(a => a);
        }
    }
}
