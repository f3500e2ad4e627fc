using AspireRedis.Client;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Inventory;
using AspireRedis.Inventory.Live;
using AspireRedis.Inventory.Products;
using AspireRedis.Inventory.Reservations;
using AspireRedis.Inventory.Sales;
using AspireRedis.ServiceDefaults;
using AspireRedis.ServiceDefaults.Caching;
using Microsoft.Extensions.Options;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisCoordination();
var partitions = builder.AddShopPartitions();
builder.AddReadCache(Catalogue.CacheName);
builder.AddProblemDetailsDefaults();
builder.Services.AddOpenApi();
builder.Services.AddValidation();

builder.Services.AddSingleton<ProductKeys>();
builder.Services.AddSingleton<ProductStore>();
builder.Services.AddSingleton<Catalogue>();
builder.Services.AddSingleton<StockChanges>();
builder.Services.AddHostedService<CatalogueUpdates>();
builder.Services.AddHostedService<ProductIndexing>();
builder.Services.AddSingleton<ReservationStore>();
builder.Services.AddSingleton<ReservationService>();
builder.Services.AddOptions<ReservationOptions>().BindConfiguration("Reservations").ValidateDataAnnotations().ValidateOnStart();
builder.Services.RequireDurability(provider => provider.GetRequiredService<IOptions<ReservationOptions>>().Value.Durability);
builder.Services.AddHttpClient(nameof(OrdersClient), client => client.BaseAddress = new Uri("https+http://orders-api"));
builder.Services.AddSingleton<IOrders, OrdersClient>();
builder.Services.AddHostedService<ReservationReaper>();
builder.Services.AddConsumerGroup<OrderPlaced, SalesProjection>(partitions.OrderPlaced, (options, provider) =>
{
    options.Group = "sales";
    options.BindConsumer(provider);
});
builder.Services.AddProductStream();
builder.Services.AddWarmUp<ReservationWarmUp>();

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.MapDefaultEndpoints();
app.MapApiReference();
app.MapProducts();
app.MapProductStream();
app.MapReservations();
app.MapDeadLetters();
app.Run();
