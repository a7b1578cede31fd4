# The site's time is the median of the voters' clocks: one wrong clock among three does not count, not even the
# holder's. A holder whose clock is more than 30 s off hands over.

office 5 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
wait 6s
clock Old +365d
await holder besides Old within 7s
> yes
checkout eva@Desk as a
> granted
show time
> right
end a
await 1 free within 2s
> yes
show time
> right

# Nor one that is behind, which it also tells itself by its pings.
call Next the holder
clock Old -365d
clock Next -365d
await holder besides Next within 7s
> yes
wait 6s
checkout eva@Desk as c
> granted
show time
> right
end c
await 1 free within 2s
> yes

# Deadlines are counted on another clock: a step costs nobody a seat.
checkout eva@Desk as b
> granted
clock Desk -1h
wait 20s
show b
> uses a seat

# The next holder knows the right time, too.
clock Next +365d
kill the-holder
await holder within 2s
> yes
await 3 voters within 10s
> yes
wait 6s
end b
await 1 free within 2s
> yes
show time
> right

# A machine whose clock is right again leads again, whatever it knew of clocks in the term in which it handed over.
office 4 desktops seats 2 ttl 15s over wifi
> 3 voters, 1 standby, 0 spares
call Wrong the holder
always-on Wrong
> done
clock Wrong +1h
await holder besides Wrong within 20s
> yes
call Second the holder
clock Wrong -1h
wait 5s
stop Second
await Second stopped within 20s
> yes
show Wrong
> holder
wait 2s
show Wrong
> holder
