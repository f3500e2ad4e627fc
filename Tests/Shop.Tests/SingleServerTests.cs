using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AspireRedis.Shop.Tests.Support;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Shop.Tests;

/// <summary>
/// The shop on one server without replicas, as with <c>Redis:Topology</c> single, where a developer certificate means
/// TLS.
/// </summary>
public sealed class SingleServerTests
{
    private static readonly KeyValuePair<string, string?>[] s_memory =
    [
        new("Orders__Durability", "Memory"), new("Reservations__Durability", "Memory"), new("Mail__Durability", "Memory"),
    ];

    private static readonly RedisTopologyOptions s_single = new() { Replicas = 0, Sentinels = 0 };

    [Fact]
    public async Task An_order_is_confirmed_and_mailed_at_level_memory()
    {
        await using var shop = await ShopSystem.StartAsync(s_single, s_memory);
        await AssertSoldAsync(shop);
    }

    [Fact]
    public async Task An_order_is_confirmed_and_mailed_over_TLS()
    {
        using var certificates = new TemporaryDirectory();
        var (certificate, key) = WriteCertificate(certificates.Path);
        var port = PortAllocator.Next();
        await using var shop = await ShopSystem.StartAsync(
            s_single with
            {
                ServerSettings =
                [
                    string.Create(CultureInfo.InvariantCulture, $"tls-port {port}"),
                    $"tls-cert-file {certificate}", $"tls-key-file {key}", $"tls-ca-cert-file {certificate}", "tls-auth-clients no",
                ],
            },
            [
                .. s_memory,
                new("ConnectionStrings__redis", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port},ssl=true")),
                new("SSL_CERT_FILE", certificate),
            ]);
        await AssertSoldAsync(shop);
        // No service talks to the port without TLS, which the test itself uses.
        var clients = ((string)(await shop.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n')
            .Where(client => client.Contains(" name=Orders.Api", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(clients);
        Assert.All(clients, client => Assert.Contains($" laddr=127.0.0.1:{port} ", client, StringComparison.Ordinal));
    }

    private static async Task AssertSoldAsync(ShopSystem shop)
    {
        var sku = await shop.NewProductAsync(stock: 1);
        var answer = await shop.PlaceOrderAsync(OrderRequest.For(sku));
        Assert.Equal("memory", answer.Durability);
        await shop.AssertConfirmedAndMailedOnceAsync(answer.OrderId);
        Assert.Equal(0, await shop.StockAsync(sku));
    }

    private static (string Certificate, string Key) WriteCertificate(string directory)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var (certificatePath, keyPath) = (Path.Combine(directory, "certificate.pem"), Path.Combine(directory, "key.pem"));
        File.WriteAllText(certificatePath, certificate.ExportCertificatePem());
        File.WriteAllText(keyPath, key.ExportPkcs8PrivateKeyPem());
        return (certificatePath, keyPath);
    }
}
