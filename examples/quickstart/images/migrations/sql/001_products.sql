create table if not exists product (
    id bigint generated always as identity primary key,
    name text not null,
    price_cents integer not null check (price_cents >= 0)
);
create index if not exists product_name on product (lower(name));
