create table if not exists purchase (
    id bigint generated always as identity primary key,
    product_id bigint not null references product (id),
    quantity integer not null check (quantity > 0),
    ordered_at timestamptz not null default now()
);
